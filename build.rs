//! Says which folders the binary carries, so that a changed file of them is compiled in: `include_dir!` does not.

fn main() {
    for folder in ["mappings", "templates", "sample-data", "schemas"] {
        println!("cargo:rerun-if-changed={folder}");
    }
}
