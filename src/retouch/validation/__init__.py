"""The data gate: what every manifest must hold before anything is trained on it."""
