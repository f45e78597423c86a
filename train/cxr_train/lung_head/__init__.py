"""A head that looks at the lungs, taught on an exported model's own INT8 layers."""
