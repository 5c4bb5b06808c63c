"""Language models from GGUF files, llama.cpp's format, as folders that transformers and vLLM read."""
