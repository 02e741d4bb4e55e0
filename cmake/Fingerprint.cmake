# Writes a header with one hash over the given sources: `cmake -DOUT=x.inc -DROOT=dir -DFILES=a;b -DEXTRA=text -P ...`.
# Paths relative to the root and contents only: the place of the tree and times do not count.

set(text "${EXTRA}\n")
foreach(file ${FILES})
  file(SHA256 "${ROOT}/${file}" hash)
  string(APPEND text "${file} ${hash}\n")
endforeach()
string(SHA256 fingerprint "${text}")
file(WRITE "${OUT}" "\"${fingerprint}\"\n")
