"""Load with a verdict: open-loop traffic by Locust, and every cent of it compared afterwards."""
