# What the CUDA plug-in is built with. Sets TRAIND_CUDA_FOUND, and if it is true enables the CUDA
# language and sets TRAIND_CUDA_INCLUDE, TRAIND_CUDNN_INCLUDE, TRAIND_CUDART_LIBRARY,
# TRAIND_CUBLAS_LIBRARY, TRAIND_CUDNN_LIBRARY and TRAIND_CUDNN_RPATH.

# Sanitizers and the CUDA runtime do not go together.
set(cuda_default AUTO)
if(TRAIND_SANITIZE)
  set(cuda_default OFF)
endif()
set(TRAIND_CUDA ${cuda_default} CACHE STRING
    "Build the CUDA plug-in: ON, OFF, or AUTO = where nvcc 13 and cuDNN 9 are found")
set_property(CACHE TRAIND_CUDA PROPERTY STRINGS AUTO ON OFF)
set(TRAIND_CUDA_ARCHITECTURES 75-real 80-real 86-real 89-real 90-real 100-real 120 CACHE STRING
    "GPUs to make code for; fewer build faster")
set(TRAIND_CUDNN_DIR "" CACHE PATH
    "Folder with cuDNN's include and lib, e.g. nvidia/cudnn of a Python environment")

# The first reason why the plug-in cannot be built, or nothing.
function(traind_look_for_cuda missing)
  find_program(TRAIND_NVCC nvcc HINTS $ENV{CUDA_HOME}/bin PATHS /usr/local/cuda/bin)
  if(NOT TRAIND_NVCC)
    set(${missing} "nvcc is not found" PARENT_SCOPE)
    return()
  endif()
  execute_process(COMMAND ${TRAIND_NVCC} --version OUTPUT_VARIABLE version ERROR_QUIET)
  if(NOT version MATCHES "release ([0-9]+)\\.")
    set(${missing} "${TRAIND_NVCC} does not say its version" PARENT_SCOPE)
    return()
  endif()
  if(CMAKE_MATCH_1 LESS 13)
    set(${missing} "${TRAIND_NVCC} is of CUDA ${CMAKE_MATCH_1}, and 13 is needed" PARENT_SCOPE)
    return()
  endif()
  # nvcc may be a link into the toolkit.
  get_filename_component(bin ${TRAIND_NVCC} REALPATH)
  get_filename_component(bin ${bin} DIRECTORY)
  set(toolkit ${bin}/.. ${bin}/../targets/${CMAKE_SYSTEM_PROCESSOR}-linux)
  # The folders of a Python environment stand side by side: nvidia/cudnn and nvidia/cu13.
  set(wheels ${TRAIND_CUDNN_DIR}/../cu13)
  find_path(TRAIND_CUDA_INCLUDE cublas_v2.h HINTS ${toolkit} ${wheels} PATH_SUFFIXES include)
  find_library(TRAIND_CUDART_LIBRARY NAMES cudart_static HINTS ${toolkit} ${wheels}
               PATH_SUFFIXES lib64 lib)
  find_library(TRAIND_CUBLAS_LIBRARY NAMES cublas libcublas.so.13 HINTS ${toolkit} ${wheels}
               PATH_SUFFIXES lib64 lib)
  find_path(TRAIND_CUDNN_INCLUDE cudnn.h HINTS ${TRAIND_CUDNN_DIR} ${toolkit}
            PATH_SUFFIXES include)
  find_library(TRAIND_CUDNN_LIBRARY NAMES cudnn libcudnn.so.9 HINTS ${TRAIND_CUDNN_DIR} ${toolkit}
               PATH_SUFFIXES lib64 lib)
  foreach(part TRAIND_CUDA_INCLUDE TRAIND_CUDART_LIBRARY TRAIND_CUBLAS_LIBRARY
               TRAIND_CUDNN_INCLUDE TRAIND_CUDNN_LIBRARY)
    if(NOT ${part})
      set(${missing} "${part} is not found" PARENT_SCOPE)
      return()
    endif()
  endforeach()
  set(${missing} "" PARENT_SCOPE)
endfunction()

set(TRAIND_CUDA_FOUND FALSE)
if(NOT TRAIND_CUDA)
  return()
endif()
traind_look_for_cuda(cuda_missing)
if(cuda_missing)
  if(NOT TRAIND_CUDA STREQUAL AUTO)
    message(FATAL_ERROR "TRAIND_CUDA is ${TRAIND_CUDA}, but ${cuda_missing}")
  endif()
  message(STATUS "No CUDA plug-in: ${cuda_missing}")
  return()
endif()

set(CMAKE_CUDA_COMPILER ${TRAIND_NVCC})
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES ${TRAIND_CUDA_ARCHITECTURES})
endif()
enable_language(CUDA)
# CMake 3.25.1 does not know how nvcc 13 is told C++20.
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
endif()
set(TRAIND_CUDNN_RPATH "")
if(TRAIND_CUDNN_DIR)
  foreach(library TRAIND_CUDNN_LIBRARY TRAIND_CUBLAS_LIBRARY)
    get_filename_component(folder ${${library}} DIRECTORY)
    list(APPEND TRAIND_CUDNN_RPATH ${folder})
  endforeach()
  list(REMOVE_DUPLICATES TRAIND_CUDNN_RPATH)
endif()
set(TRAIND_CUDA_FOUND TRUE)
