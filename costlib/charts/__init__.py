"""Charts of the book: one theme, one translator of formulas, one module per part."""
