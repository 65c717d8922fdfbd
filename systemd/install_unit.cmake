# Run by `cmake --install`: writes the unit for the prefix at hand, and the configuration unless
# there is one already.
set(BIN_DIR ${CMAKE_INSTALL_PREFIX}/${bin_folder})
set(DOC_DIR ${CMAKE_INSTALL_PREFIX}/${data_folder}/doc/traind)
# A system's own prefixes keep their configuration in /etc; any other prefix keeps it inside.
if(CMAKE_INSTALL_PREFIX MATCHES "^/usr(/local)?/?$")
  set(CONFIG_DIR /etc/traind)
else()
  set(CONFIG_DIR ${CMAKE_INSTALL_PREFIX}/etc/traind)
endif()

set(unit ${CMAKE_INSTALL_PREFIX}/lib/systemd/system/traind.service)
message(STATUS "Installing: $ENV{DESTDIR}${unit}")
configure_file(${unit_template} $ENV{DESTDIR}${unit} @ONLY)

set(config ${CONFIG_DIR}/traind.toml)
if(EXISTS $ENV{DESTDIR}${config})
  message(STATUS "Keeping: $ENV{DESTDIR}${config}")
else()
  message(STATUS "Installing: $ENV{DESTDIR}${config}")
  configure_file(${config_example} $ENV{DESTDIR}${config} COPYONLY)
endif()
