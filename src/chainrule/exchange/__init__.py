"""Models for other programs: safetensors files, ONNX graphs."""

from chainrule.exchange.onnx_graphs import ExportError, save_onnx
from chainrule.exchange.tensor_files import load_safetensors, save_safetensors

__all__ = ["ExportError", "load_safetensors", "save_onnx", "save_safetensors"]
