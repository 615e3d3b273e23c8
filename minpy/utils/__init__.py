"""``minpy.utils`` of minpy 0.3.4: a check of gradients, a profiler by blocks, a logger."""
