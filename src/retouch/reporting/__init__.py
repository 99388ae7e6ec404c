"""What people read: tables beside the papers' figures, pictures, the page."""
