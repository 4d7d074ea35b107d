"""What a pull request may change: judged by the rules of the commit that it starts from."""
