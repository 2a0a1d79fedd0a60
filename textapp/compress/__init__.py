"""Smaller models from trained ones: quantization-aware training, distillation."""
