"""Does the checker see what is wrong? Right gradients made wrong on purpose, and counted."""
