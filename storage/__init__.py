"""Database clients, caches, revisions and the feed; knows no tenant's business."""
