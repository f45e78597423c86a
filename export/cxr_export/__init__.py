"""Turn a training run into one quantized, self-describing, gated .onnx file."""
