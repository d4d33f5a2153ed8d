# Nothing of this module is visible to Python: `request` uses it through names.pxd.
