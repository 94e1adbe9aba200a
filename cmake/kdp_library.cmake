# kdp_library(folder SRC ... [LIBS ...]): static library kdp_<folder> of src/<folder>, seeing the folders before it.
set_property(GLOBAL PROPERTY KDP_LAYERS "")
function(kdp_library folder)
  cmake_parse_arguments(L "" "" "SRC;LIBS" ${ARGN})
  get_property(layers GLOBAL PROPERTY KDP_LAYERS)
  add_library(kdp_${folder} STATIC ${L_SRC})
  target_include_directories(kdp_${folder} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/${folder}
    ${PROJECT_SOURCE_DIR}/include ${PROJECT_BINARY_DIR}/include)
  target_link_libraries(kdp_${folder} PUBLIC ${layers} ${L_LIBS})
  add_dependencies(kdp_${folder} kdp_records) # the generated <kdp/records.h>
  # nearest layer first, for the linker
  set_property(GLOBAL PROPERTY KDP_LAYERS kdp_${folder} ${layers})
endfunction()
