"""LSTM autoencoder, trained with JAX, carried out by ONNX Runtime or numpy."""

from forewarn.plugins.trained_detectors.lstm_autoencoder.detector import LstmAutoencoder

__all__ = ["LstmAutoencoder"]
