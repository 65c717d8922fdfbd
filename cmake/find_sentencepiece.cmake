# What subword tokens are made with. Sets TRAIND_SENTENCEPIECE_FOUND, and if it is true provides the
# target PkgConfig::SENTENCEPIECE and, but for a build of model/ alone, TRAIND_PROTOBUF_ARCHIVE.
set(TRAIND_SENTENCEPIECE AUTO CACHE STRING
    "Cut text into subwords: ON, OFF, or AUTO = where sentencepiece is found")
set_property(CACHE TRAIND_SENTENCEPIECE PROPERTY STRINGS AUTO ON OFF)

# The first reason why it cannot be used, or nothing.
function(traind_look_for_sentencepiece missing)
  find_package(PkgConfig QUIET)
  if(NOT PKG_CONFIG_FOUND)
    set(${missing} "pkg-config is not found" PARENT_SCOPE)
    return()
  endif()
  pkg_check_modules(SENTENCEPIECE QUIET IMPORTED_TARGET GLOBAL sentencepiece)
  if(NOT SENTENCEPIECE_FOUND)
    set(${missing} "sentencepiece is not found (Debian: libsentencepiece-dev)" PARENT_SCOPE)
    return()
  endif()
  # sentencepiece's library brings an older protobuf and shows it to the whole process. A program
  # that uses another one, as the worker does, must keep its own to itself: a static one.
  find_library(TRAIND_PROTOBUF_ARCHIVE libprotobuf.a)
  if(NOT TRAIND_MODEL_ONLY AND NOT TRAIND_PROTOBUF_ARCHIVE)
    set(${missing} "libprotobuf.a is not found, which must stand beside it" PARENT_SCOPE)
    return()
  endif()
  set(${missing} "" PARENT_SCOPE)
endfunction()

set(TRAIND_SENTENCEPIECE_FOUND FALSE)
if(NOT TRAIND_SENTENCEPIECE)
  return()
endif()
traind_look_for_sentencepiece(sentencepiece_missing)
if(sentencepiece_missing)
  if(NOT TRAIND_SENTENCEPIECE STREQUAL AUTO)
    message(FATAL_ERROR "TRAIND_SENTENCEPIECE is ${TRAIND_SENTENCEPIECE}, but "
                        "${sentencepiece_missing}")
  endif()
  message(STATUS "No subwords: ${sentencepiece_missing}")
  return()
endif()
set(TRAIND_SENTENCEPIECE_FOUND TRUE)
