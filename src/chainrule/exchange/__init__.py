"""Models for other programs: safetensors files, ONNX graphs."""

from chainrule.exchange.tensor_files import load_safetensors, save_safetensors

__all__ = ["load_safetensors", "save_safetensors"]
