"""What a release is made of, built from a checkout: `make release`. Not part of the package."""
