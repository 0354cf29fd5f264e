"""Schedule: have the settlement files of gateways that offer them."""
