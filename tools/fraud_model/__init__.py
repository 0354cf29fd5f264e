"""The fraud model: simulated payments, features, training. Development only: never deployed."""
