"""Explains the errors that the user can correct."""

from textapp.errors import InputError

_EXTRAS = {
    **dict.fromkeys(
        ("tensorflow", "keras", "tensorflow_text", "tensorboard", "matplotlib", "scipy", "sklearn", "threadpoolctl"),
        "train",
    ),
    "optuna": "tune",
    **dict.fromkeys(("fastapi", "uvicorn"), "serve"),
    **dict.fromkeys(("wandb", "mlflow"), "train,tracking"),
    **dict.fromkeys(("onnx", "onnxruntime", "tf2onnx"), "train,onnx"),
}


def explanation(error: BaseException) -> str | None:
    """Returns what to tell the user about an error in one line, or None if the error is a defect of textapp."""
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, OSError):  # a full disk or a missing permission outside of our own writers
        if error.filename is None and error.strerror is None:
            return None
        return f"{error.filename or 'output'}: {error.strerror or error}"
    if isinstance(error, ModuleNotFoundError):
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            return None
        return f'{error.name} is not installed; this command needs: pip install "textapp-keras[{extra}]"'
    # TensorFlow's error is found by its name, because some commands do not load TensorFlow.
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return "this needs more memory than there is; choose smaller layers, batch_size or max_tokens"
    return None
