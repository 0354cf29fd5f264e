"""What a card and a terminal have done so far: the model's features, online and in training."""
