"""The report page: one file that shows what a program is and what it did on some events.

`gather` collects what is known (with `metrics`, `activity`, `divergence` and `builds`), `drawing`
makes the pictures, and `page` joins both in a template. Nothing here changes a result.
"""
