"""The programs on asynq, with the same code for both packages.

They are modules, because functions are global in real programs. Only workers on asynq import them.
"""
