"""A few strokes, and the whole volume answers.

What a voxel looks like (:mod:`features`) is learnt from the painted ones at every stroke (:mod:`head`); a walk over the
image that edges hold back (:mod:`walk`) carries strokes and looks together to every voxel (:mod:`answer`); from what is
left in doubt follows where the next stroke would teach most (:mod:`suggest`).
"""
