"""What the bench scripts share: servers, load, rounds, results and plots. Standard library only."""
