"""`naru label`: work lists go out to annotators, their labels come back, agree enough, and become rows to train on."""
