"""Makes smaller models from trained ones: quantization-aware training, distillation."""
