"""What every engine must keep, as classes of tests that anyone may import and subclass."""
