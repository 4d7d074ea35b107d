"""What a promotion and a rollout say of themselves in a pull request."""
