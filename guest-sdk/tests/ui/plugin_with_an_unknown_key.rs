
covet::plugin! { route: [] }

fn main() {}
