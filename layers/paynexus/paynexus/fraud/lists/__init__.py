"""Lists: whom the platform or a merchant lets pass, stops, or looks at twice."""
