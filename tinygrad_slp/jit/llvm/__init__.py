"""Native code for programs: elementary functions, loops and products, through llvmlite."""
