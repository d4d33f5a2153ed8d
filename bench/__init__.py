"""Measurements of fastgate: `bench.load` drives running servers, `bench.micro` times single functions, `bench.render`
writes bench/README.md from what they found. Needs a checkout, wrk and nginx; nothing of this is in the package."""
