"""Checks of columns of text: languages, damage, copies, personal data, unseen words."""
