# kdp_sql_text.cmake - cmake -DIN=x.sql -DOUT=x.inc -P: SQL as the elements of an array of C strings, which end a line behind each
# statement.  Comments are whole lines.  Many short ones: C compilers need not take a literal of over 4,095 bytes.
file(READ ${IN} sql)
string(REGEX REPLACE "\n[ ]*--[^\n]*" "" sql "\n${sql}")
string(REGEX REPLACE "[ \n]+" " " sql "${sql}")
string(STRIP "${sql}" sql)
string(REPLACE "\\" "\\\\" sql "${sql}")
string(REPLACE "\"" "\\\"" sql "${sql}")
string(REGEX REPLACE ";[ ]?" ";\\\\n\",\n\"" sql "${sql}")
string(REGEX REPLACE ", " ", \",\n\"" sql "${sql}")
file(WRITE ${OUT} "\"${sql}\"\n")
