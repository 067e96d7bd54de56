"""The programs on asynq: the same code for both packages. Modules of their own, because in real
programs these functions are global ones. Imported only by workers on asynq.
"""
