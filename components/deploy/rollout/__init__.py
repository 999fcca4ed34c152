"""The rollout of a version: a state machine, the steps of a canary, and the bake that judges them."""
