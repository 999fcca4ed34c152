"""Side-by-side measurements that anyone can repeat; nothing in the package uses them."""
