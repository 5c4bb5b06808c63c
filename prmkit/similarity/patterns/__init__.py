"""Activation patterns and the engines that make their Gram."""
