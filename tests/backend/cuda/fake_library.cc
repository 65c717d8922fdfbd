// In place of cuDNN, for a plug-in that needs it. An old one has not got the function.
#ifndef FAKE_OLD
extern "C" int cudnnFake() { return 7; }
#endif
