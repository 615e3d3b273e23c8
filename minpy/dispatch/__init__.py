"""What programs for minpy 0.3.4 rely on and new ones don't: a folder that a reader can skip.

============================== ===================================================================
`minpy.dispatch.policy`        policies as objects
`minpy.dispatch.marking`       gradients with respect to arrays that the function sees by closure
`minpy.dispatch.symbols`       an MXNet symbol as a differentiable function
`minpy.dispatch.custom`        operations with gradients of one's own
`minpy.dispatch.values`        the classes of `minpy.array`: ``Value``, ``Array``, ``Number``
`minpy.dispatch.mxnet_names`   what ``minpy.numpy`` had beyond NumPy
============================== ===================================================================
"""
