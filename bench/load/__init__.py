"""Load: wrk against fastgate and, in the same rounds, against nginx as a bare reverse proxy of the same upstream."""
