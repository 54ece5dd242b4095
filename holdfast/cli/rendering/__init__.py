"""What people read: data in, text on a screen out. Nothing here talks to a server or decides anything."""
