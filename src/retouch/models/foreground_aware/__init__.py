"""DIH, iDIH, S²AM and their variants with semantic features (Sofiiuk, Popenova, Konushin 2021)."""
