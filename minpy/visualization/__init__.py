"""``minpy.visualization`` of minpy 0.3.4: scalars for TensorBoard, on tensorboardX.

The training loop writes them by `minpy.callbacks.TensorBoard`.
"""
