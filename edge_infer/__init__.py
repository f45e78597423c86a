"""Sort a day's chest X-rays on a clinic PC: who needs the second test first.

Research use only; not a medical device. This package never imports torch, torchvision or onnx.
"""
