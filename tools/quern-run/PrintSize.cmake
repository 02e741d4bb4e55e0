# Prints the size of FILE and fails above the limit that the design sets.
file(SIZE "${FILE}" bytes)
math(EXPR kib "${bytes} / 1024")
get_filename_component(name "${FILE}" NAME)
message("${name}: ${kib} KiB (limit 15360 KiB)")
if(kib GREATER 15360)
  message(FATAL_ERROR "${name} is larger than 15 MiB")
endif()
