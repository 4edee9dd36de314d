# cmake -DIN=file -DOUT=file.c -P embed.cmake: the description of the API as a C array.
file(READ ${IN} bytes HEX)
string(LENGTH "${bytes}" digits)
math(EXPR size "${digits} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "((0x..,){24})" "\\1\n" bytes "${bytes}")
file(WRITE ${OUT} "#include \"gateway/openapi.h\"\n\nconst char bf_openapi[] = {\n${bytes}0x00};\n"
                  "const size_t bf_openapi_size = ${size};\n")
